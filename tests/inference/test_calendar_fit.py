"""Fits with a calendar, to logs simulated by hand: each purchase a draw of a Poisson process with a dated speed."""

import pickle

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.data.calendar import Calendar
from clvmodels.errors import DataError, FitError, FitWarning, ModelError, ParameterError
from clvmodels.models.clocked import ClockedModel

FIRST = pd.Timestamp("2021-01-04")
WEEKS = 104
END = FIRST + pd.Timedelta(days=7 * WEEKS - 1)
TRUTH = {"r": 0.6, "alpha": 8.0, "a": 0.8, "b": 3.0}
GAMMA = np.array([0.7, -0.4])


def weekly_calendar(weeks=WEEKS + 60):
    """A high season at the end of each year, and a price that changes every week."""
    week = np.arange(weeks)
    price = np.random.default_rng(99).normal(size=weeks).round(1)
    dates = pd.date_range(FIRST, periods=weeks, freq="7D")
    return pd.DataFrame({"date": dates, "high_season": 1.0 * (week % 52 >= 44), "price": price})


def purchases_of(customers, log_speed, seed, starts, dropout):
    """A log of customers whose purchase rate is multiplied by a speed of each week."""
    generator = np.random.default_rng(seed)
    clock = np.concatenate([[0.0], np.cumsum(np.exp(log_speed))])
    weeks = np.arange(len(clock), dtype=float)
    start = generator.uniform(*starts, customers)
    rate = generator.gamma(TRUTH["r"], 1.0 / TRUTH["alpha"], customers)
    leaves = generator.beta(TRUTH["a"], TRUTH["b"], customers)
    lifetime = generator.exponential(size=customers) / generator.gamma(1.5, 1.0 / 90.0, customers)
    rows = []
    for customer in range(customers):
        rows.append((customer, start[customer]))
        shown, gone = np.interp(start[customer], weeks, clock), min(start[customer] + lifetime[customer], WEEKS)
        stop = np.interp(WEEKS if dropout == "at purchases" else gone, weeks, clock)
        while True:
            shown += generator.exponential() / rate[customer]
            if shown > stop:
                break
            rows.append((customer, np.interp(shown, clock, weeks)))
            if dropout == "at purchases" and generator.random() < leaves[customer]:
                break
    log = pd.DataFrame(rows, columns=["customer_id", "week"])
    return log.assign(date=FIRST + pd.to_timedelta(log["week"] * 7.0, unit="D")).drop(columns="week")


def normalised(frame, gamma=GAMMA):
    log_speed = frame[["high_season", "price"]].to_numpy() @ gamma
    return log_speed - np.log(np.exp(log_speed[WEEKS - 52 : WEEKS]).mean())


@pytest.fixture(scope="module")
def log():
    return purchases_of(4_000, normalised(weekly_calendar()), 11, (0.0, WEEKS - 1.0), "at purchases")


@pytest.fixture(scope="module")
def rfm(log):
    return clv.rfm_summary(log, unit="week", observation_end=END)


@pytest.fixture(scope="module")
def calendar():
    return Calendar.from_frame(weekly_calendar())


@pytest.fixture(scope="module")
def fit(rfm, calendar):
    return clv.BGNBD(calendar=calendar).fit(rfm)


def z_scores(fit, truth):
    estimate = np.log([fit.params[name] for name in fit.model.names])
    return (estimate - truth) / np.sqrt(np.diag(fit.covariance))


def test_the_parameters_and_the_effects_are_recovered(fit):
    scores = z_scores(fit, [*np.log(list(TRUTH.values())), *GAMMA])
    assert fit.diagnostics.status == "converged"
    assert np.abs(scores).max() < 3.5
    table = fit.coefficients.loc["purchase"]
    assert table.index.to_list() == ["high_season", "price"]
    np.testing.assert_allclose(table["estimate"], np.log(fit.estimate[4:]))
    np.testing.assert_allclose(table["high"] - table["low"], 2 * 1.959964 * table["sd"], rtol=1e-6)


def test_the_calendar_is_worth_its_parameters(fit, rfm):
    assert fit.log_likelihood - clv.BGNBD().fit(rfm).log_likelihood > 100.0


def test_another_unit_and_another_resolution_give_the_same_effects(fit, rfm, log, calendar):
    in_days = clv.BGNBD(calendar=calendar).fit(rfm.in_unit("day"))
    np.testing.assert_allclose(in_days.coefficients, fit.coefficients, rtol=1e-4)
    assert in_days.log_likelihood + rfm.frequency.sum() * np.log(7.0) == pytest.approx(fit.log_likelihood, abs=1e-3)
    by_day = clv.BGNBD(calendar=calendar).fit(clv.rfm_summary(log, observation_end=END, resolution="day"))
    np.testing.assert_allclose(by_day.coefficients["estimate"], fit.coefficients["estimate"], atol=0.03)


def test_histories_in_an_engine_give_the_same_fit(fit, log, calendar, tmp_path):
    log.to_parquet(tmp_path / "log.parquet")
    histories = clv.rfm_summary(tmp_path / "log.parquet", unit="week", observation_end=END)
    assert not histories.in_memory
    again = clv.BGNBD(calendar=calendar).fit(histories)
    np.testing.assert_allclose(again.estimate, fit.estimate, rtol=1e-5)


def test_a_calendar_without_effect_changes_nothing(rfm):
    plain = clv.MBGNBD().fit(rfm)
    frame = weekly_calendar()
    frame["price"] = np.random.default_rng(4).normal(size=len(frame))
    fit = clv.MBGNBD(calendar=Calendar.from_frame(frame, columns=["price"])).fit(rfm)
    assert 0.0 <= fit.log_likelihood - plain.log_likelihood < 8.0
    assert abs(z_scores(fit, np.zeros(5))[4]) < 4.0


def test_pareto_nbd_recovers_effects_where_customers_leave_in_time():
    frame = weekly_calendar()
    seasons = frame.assign(price=0.0)
    log = purchases_of(2_000, normalised(seasons), 2, (0.0, WEEKS - 1.0), "in time")
    histories = clv.rfm_summary(log, unit="week", observation_end=END)
    fit = clv.ParetoNBD(calendar=Calendar.from_frame(frame, columns=["high_season"])).fit(histories)
    truth = np.log([0.6, 8.0, 1.5, 90.0, np.exp(0.7)])
    assert np.abs(z_scores(fit, truth)).max() < 3.5


def test_a_forecast_with_the_season_is_near_and_one_without_is_not():
    """Closed before the low season, of a shop whose customers start at all times."""
    frame = weekly_calendar()
    log = purchases_of(4_000, normalised(frame), 3, (0.0, WEEKS - 1.0), "at purchases")
    closing = WEEKS - 4.0  # in the high season
    end = FIRST + pd.Timedelta(days=7 * closing - 1)
    later = log[log["date"] >= end + pd.Timedelta(days=1)]
    known = set(log.loc[log["date"] <= end, "customer_id"])
    actual = later["customer_id"].isin(known).sum()
    histories = clv.rfm_summary(log, unit="week", observation_end=end)
    seasonal = clv.BGNBD(calendar=Calendar.from_frame(frame)).fit(histories)
    with_season, without = (
        each.total_purchases(histories, "4 weeks")["mean"] for each in (seasonal, clv.BGNBD().fit(histories))
    )
    assert with_season == pytest.approx(actual, rel=0.08)
    assert abs(without / actual - 1.0) > 0.2


@pytest.fixture(scope="module")
def few(log):
    return clv.rfm_summary(log[log["customer_id"] < 500], unit="week", observation_end=END, resolution="day")


def test_laplace_gives_draws_of_the_effects(few, calendar):
    rfm, fit = few, clv.BGNBD(calendar=calendar).fit(few)
    laplace = clv.BGNBD(calendar=calendar).fit(rfm, method="laplace", draws=300, seed=1)
    np.testing.assert_allclose(laplace.coefficients["sd"], fit.coefficients["sd"], rtol=0.25)
    totals = laplace.total_purchases(rfm, "26 weeks")
    assert totals["mean"] == pytest.approx(fit.total_purchases(rfm, "26 weeks")["mean"], rel=0.03)


@pytest.mark.slow
def test_priors_are_about_the_multipliers(few, calendar):
    tight = {"multiplier_of_price": {"dist": "LogNormal", "mu": 0.0, "sigma": 0.001}}
    posterior = clv.BGNBD(calendar=calendar, priors=tight).fit(few, method="map")
    assert posterior.coefficients.loc[("purchase", "price"), "estimate"] == pytest.approx(0.0, abs=0.01)
    assert posterior.coefficients.loc[("purchase", "high_season"), "estimate"] == pytest.approx(0.7, abs=0.3)


def test_interpolated_predictions_are_those_of_each_draw_alone(few, calendar):
    rfm = few
    laplace = clv.BGNBD(calendar=calendar).fit(rfm, method="laplace", draws=300, seed=1).thinned(60)
    draws = laplace.expected_purchases(rfm, "20 weeks", return_draws=True).to_numpy()[0]
    model = laplace.at_end_of(rfm).model
    for values, theta in zip(draws, laplace.draws, strict=True):
        alone = model.p_alive(theta, rfm.frequency, rfm.recency, rfm.T)
        alone = alone * model.expected_purchases(theta, rfm.frequency, rfm.T, np.asarray(20.0))
        np.testing.assert_allclose(values, alone, rtol=1e-8)


def test_a_trend_is_recovered_where_starts_are_staggered_and_not_prolonged():
    week = np.arange(WEEKS + 60)
    quarter = (FIRST + pd.to_timedelta(week * 7, unit="D")).to_period("Q").start_time
    log_speed = -0.3 * (quarter - FIRST).days.to_numpy() / 365.25
    log = purchases_of(6_000, log_speed, 5, (0.0, WEEKS - 1.0), "at purchases")
    fit = clv.BGNBD(calendar=Calendar.trend("quarter")).fit(clv.rfm_summary(log, unit="week", observation_end=END))
    slope = fit.coefficients.loc[("purchase", "trend")]
    assert slope["estimate"] == pytest.approx(-0.3, abs=3.5 * slope["sd"])
    assert slope["sd"] < 0.06
    speed = fit.model.steps.clock(np.log(fit.estimate[4:])).speed
    assert np.ptp(speed[fit.model.steps.edges[:-1] >= 0.0]) == 0.0


def test_a_trend_of_a_single_cohort_is_refused():
    log = purchases_of(300, np.zeros(WEEKS), 6, (0.0, 12.0), "at purchases")
    histories = clv.rfm_summary(log, unit="week", observation_end=END)
    with pytest.raises(FitError, match=r"a trend \(trend\) is told from customers getting older by those who start"):
        clv.BGNBD(calendar=Calendar.trend()).fit(histories)


# ---------------------------------------------------------------------------------------------- what is refused


def test_effects_that_the_data_cannot_tell_are_refused_by_name(rfm):
    frame = weekly_calendar()
    for column, message in (
        ("never", "the effect of never cannot be told: it does not vary"),
        ("twice", "the effect of twice cannot be told: it is a combination of columns before it"),
    ):
        calendar = Calendar.from_frame(
            frame.assign(never=0.0, twice=2.0 * frame["price"] + 1.0)[["date", "price", column]]
        )
        with pytest.raises(FitError, match=message):
            clv.BGNBD(calendar=calendar).fit(rfm)


def test_months_need_two_years_or_a_prior():
    log = purchases_of(300, np.zeros(WEEKS), 6, (0.0, 80.0), "at purchases")
    histories = clv.rfm_summary(log, unit="week", observation_end=FIRST + pd.Timedelta(days=600))
    with pytest.warns(
        FitWarning, match=r"all parts of the year \(quarter_2, quarter_3, ...\) and 1.6 years were observed"
    ):
        clv.BGNBD(calendar=Calendar.seasons("quarter")).fit(histories)


def test_a_season_observed_in_part_is_warned_of(log):
    seasons = Calendar.seasons({"christmas": ("11-15", "01-10")})
    model = clv.BGNBD(calendar=seasons)
    first = log[log["date"] < "2021-12-20"]
    with pytest.warns(FitWarning, match="christmas was observed in part only, and will come in full"):
        model.fit(clv.rfm_summary(first, unit="week", observation_end="2021-12-19"))
    model.fit(clv.rfm_summary(log[log["date"] < "2022-02-01"], unit="week", observation_end="2022-01-31"))


def test_a_calendar_that_ends_or_begins_too_late_or_too_early(fit, rfm):
    with pytest.raises(DataError, match="and is needed at 100; give it more rows, or declare it periodic"):
        fit.total_purchases(rfm, "100 weeks")
    with pytest.raises(DataError, match="the calendar ends on 2022-07-03 and is needed until 2023-01-01"):
        clv.BGNBD(calendar=Calendar.from_frame(weekly_calendar(78))).fit(rfm)
    with pytest.raises(DataError, match=r"the calendar begins on 2021-05-24 and is needed from 2021-01-0. on"):
        clv.BGNBD(calendar=Calendar.from_frame(weekly_calendar()[20:])).fit(rfm)


def test_what_does_not_know_when_purchases_were_made_is_refused(rfm, calendar):
    model = clv.BGNBD(calendar=calendar)
    table = rfm.to_frame().reset_index()
    with pytest.raises(DataError, match="a calendar needs to know when observation ended"):
        model.fit(clv.Histories.from_frame(table, unit="week"))
    with pytest.raises(DataError, match="these histories came from a table that does not say"):
        model.fit(clv.Histories.from_frame(table, unit="week", observation_end=END))
    with pytest.raises(DataError, match="of these histories it is not known, only of all"):
        model.fit(rfm.select(rfm.customer_id[:100]))
    with pytest.raises(FitError, match="a calendar does not go with by='channel'"):
        model.fit(rfm, by="channel")


def test_priors_are_checked_before_there_are_data(calendar):
    assert clv.BGNBD(calendar=calendar).default_priors["multiplier_of_price"]["dist"] == "LogNormal"
    with pytest.raises(ParameterError, match="multiplier_of_prize"):
        clv.BGNBD(calendar=calendar, priors={"multiplier_of_prize": {"dist": "LogNormal", "mu": 0.0, "sigma": 1.0}})


# ------------------------------------------------------------------------------------------- fits with a calendar


def test_new_customers_start_on_a_day(fit):
    high = fit.expected_purchases_new("4 weeks", start="2022-12-01")["mean"]
    low = fit.expected_purchases_new("4 weeks", start="2022-09-05")["mean"]
    assert high > 1.3 * low
    now = fit.expected_purchases_new("4 weeks")["mean"]
    assert fit.expected_purchases_new("4 weeks", start=END + pd.Timedelta(days=1))["mean"] == pytest.approx(now)
    probabilities = [fit.probability_of_purchases_new("4 weeks", n, start="2022-12-01") for n in range(60)]
    assert sum(probabilities) == pytest.approx(1.0, abs=1e-9)
    assert np.dot(range(60), probabilities) == pytest.approx(high, rel=1e-8)
    plain = clv.BGNBD().from_params(TRUTH, unit="week")
    with pytest.raises(FitError, match=r"start=... is when a customer starts on a calendar, and this fit has none"):
        plain.expected_purchases_new("4 weeks", start="2022-12-01")
    with pytest.raises(DataError, match="start is a day"):
        fit.expected_purchases_new("4 weeks", start="soon")


def test_simulated_customers_can_be_fitted_again(fit, calendar):
    histories = fit.simulate(3_000, "80 weeks", seed=2, start=FIRST)
    assert histories.repeat_purchases.purchases.sum() == histories.frequency.sum()
    again = clv.BGNBD(calendar=calendar).fit(histories)
    shift = again.coefficients["estimate"] - fit.coefficients["estimate"]
    assert (np.abs(shift) < 4.0 * again.coefficients["sd"]).all()


def test_predictions_are_of_the_end_of_observation_of_the_histories(fit, log):
    """The same fit, asked at two closings: the sum of what is expected moves with the calendar."""
    earlier = clv.rfm_summary(log, unit="week", observation_end=END - pd.Timedelta(weeks=30))
    moved = fit.at_end_of(earlier)
    assert moved.now == np.datetime64((END - pd.Timedelta(weeks=30) + pd.Timedelta(days=1)).to_datetime64(), "us")
    total = fit.total_purchases(earlier, "4 weeks")["mean"]
    assert total == moved.total_purchases(earlier, "4 weeks")["mean"]
    with pytest.raises(FitError, match=r"stands at 2023-01-02T00:00:00.* write fit.at_end_of"):
        fit.parameters(earlier)


def test_a_fit_is_saved_and_pickled_with_its_calendar(fit, rfm, tmp_path):
    fit.save(tmp_path / "fit.json")
    total = fit.total_purchases(rfm, "20 weeks")["mean"]
    for again in (clv.Fit.load(tmp_path / "fit.json"), pickle.loads(pickle.dumps(fit))):
        assert isinstance(again.model, ClockedModel)
        assert again.total_purchases(rfm, "20 weeks")["mean"] == pytest.approx(total, rel=1e-12)
        assert again.calendar.calendar.columns == ("high_season", "price")
        pd.testing.assert_frame_equal(again.coefficients, fit.coefficients)


def test_words_say_what_a_unit_does(fit):
    assert f"One unit of high_season multiplies purchases by {fit.params['high_season']:.3g}." in fit.describe()


def test_the_estimator_knows_its_calendar(calendar):
    estimator = clv.BGNBD(calendar=calendar)
    assert repr(estimator) == "BGNBD(calendar of high_season, price)"
    assert estimator.get_params() == {"priors": None, "covariates": None, "calendar": calendar}
    assert estimator.set_params(calendar=None) == clv.BGNBD()
    assert pickle.loads(pickle.dumps(estimator)).calendar.columns == calendar.columns


def test_what_follows_customers_from_their_start_refuses_a_calendar(fit, log):
    with pytest.raises(FitError, match="tracking follows customers from their own start"):
        clv.track(fit, log, train_end=END - pd.Timedelta(weeks=10))


def test_value_has_the_season_in_it(log):
    """Equity without end equals 150 years of calendar, and a closing before the high season is worth more."""
    seasons = Calendar.seasons({"high_season": ("11-01", "12-31")})
    histories = clv.rfm_summary(log.assign(amount=10.0), value="amount", unit="week", observation_end=END)
    seasonal = clv.BGNBD(calendar=seasons).fit(histories)
    spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 4.38})
    endless = clv.Assumptions(discount_rate=0.15, margin=0.3)
    long = clv.Assumptions(discount_rate=0.15, margin=0.3, horizon="150 years")
    book = clv.value(seasonal, spend, histories, endless)
    assert book.equity == pytest.approx(clv.value(seasonal, spend, histories, long).equity, rel=1e-5)
    assert book.equity != pytest.approx(
        clv.value(clv.BGNBD().fit(histories), spend, histories, endless).equity, rel=0.02
    )


def test_only_models_that_run_on_a_clock_take_a_calendar(calendar):
    with pytest.raises((ModelError, TypeError)):
        clv.GammaGamma(calendar=calendar)


def shop(seed, speed, days):
    """A log over four years whose purchases are Poisson on a clock of this speed; customers join all the time."""
    first, generator = pd.Timestamp("2021-01-01"), np.random.default_rng(seed)
    clock, day, rows = np.append(0.0, np.cumsum(speed)), np.arange(days + 1.0), []
    for customer in range(3_000):
        rate, leaves = generator.gamma(0.6, 1.0 / 56.0), generator.beta(0.8, 3.0)
        joined = generator.uniform(0.0, days - 400.0)
        shown = np.interp(joined, day, clock) + np.cumsum(generator.exponential(1.0 / rate, 400))
        bought = np.interp(shown[shown < clock[-1]], clock, day)
        stays = np.cumprod(generator.random(len(bought)) > leaves)
        rows += [(customer, joined), *((customer, when) for when in bought[: int(stays.sum()) + 1])]
    log = pd.DataFrame(rows, columns=["customer_id", "day"])
    return log.assign(date=first + pd.to_timedelta(log["day"], unit="D")).drop(columns="day")


@pytest.mark.slow  # 60 s
def test_the_second_half_of_a_seasonal_year_is_foreseen():
    """Summer is low, the weeks before Christmas are high: totals within 5 %, without a calendar a tenth too low."""
    seasons = Calendar.seasons({"high_season": ("11-15", "12-31"), "summer": ("07-01", "08-31")})
    first, days = pd.Timestamp("2021-01-01"), 4 * 365
    table = seasons.to_frame(first, first + pd.Timedelta(days=days))
    by_day = table.reindex(pd.date_range(first, periods=days), method="ffill").to_numpy()
    bias = []
    for seed in range(8):
        log = shop(seed, np.exp(by_day @ [0.9, -0.4]), days)
        train, holdout = clv.rfm_train_test_split(log, train_end="2024-06-30", test_end="2024-12-30")
        fits = [clv.BGNBD().fit(train), clv.BGNBD(calendar=seasons).fit(train)]
        totals = [fit.expected_purchases(train, holdout.duration)["mean"].sum() for fit in fits]
        bias.append([total / holdout.frequency.sum() - 1.0 for total in totals])
    without, with_seasons = np.mean(bias, axis=0)
    error = np.std(bias, axis=0)[1] / np.sqrt(8.0)
    assert abs(with_seasons) < min(0.05, 3.0 * error)
    assert without < -0.08
