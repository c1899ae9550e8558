-- Out: every currency that has a rate.
SELECT base AS currency FROM api.fx_rates UNION SELECT quote FROM api.fx_rates ORDER BY currency
