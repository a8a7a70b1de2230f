"""Growth drivers: categories, order values, referrals and satisfaction, in customer equity."""
