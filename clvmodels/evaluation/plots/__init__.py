"""Pictures of how good a fit is: tracking, aggregate fit, calibration, lift."""
