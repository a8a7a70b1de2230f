"""Published parameters of CDNOW, and the data as the published examples use them.

Day resolution, time in weeks, a year of 52 weeks. Sources: Fader, Hardie & Lee (2005), Marketing Science 24(2), and
(2005), Journal of Marketing Research 42(4), in a replication to four decimals; Fader & Hardie (2013), note 025.
"""

from __future__ import annotations

import clvmodels as clv

JMR_ORDERS = {"r": 0.5630, "alpha": 12.5589, "s": 0.4081, "beta": 10.5146}
JMR_SPEND = {"p": 4.6823, "q": 4.1904, "v": 24.4006}
WEEK_39_ORDERS = {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}
WEEK_39_SPEND = {"p": 6.25, "q": 3.74, "v": 15.44}
BG_NBD_39 = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
BG_NBD_78_EVERYONE = {"r": 0.2671278, "alpha": 5.986492, "a": 0.4835170, "b": 2.111609}
SPEND_78_EVERYONE = {"p": 5.08605, "q": 3.99512, "v": 21.25223}
"""Fits of all 23,570 customers, recomputed; spend on the 11,515 repeat buyers of positive repeat spend."""


def cdnow(*, sample: bool, end: str) -> clv.Histories:
    log = clv.datasets.load_cdnow(sample=sample)
    return clv.rfm_summary(log, value="amount", unit="week", resolution="day", observation_end=end)


def published_terms(**changes: object) -> clv.Assumptions:
    """15 % a year, 30 % margin, 52 weeks: Fader, Hardie & Lee (2005), JMR 42(4)."""
    terms = clv.Assumptions.from_file(clv.datasets.path("cdnow.toml"))
    stated = {"discount_rate": terms.discount_rate, "margin": terms.margin, "year": terms.year}
    return clv.Assumptions.from_mapping({**stated, **changes})
