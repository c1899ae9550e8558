-- In: currencies, since, until. Out: every rate from or to one of the currencies on those days.
SELECT date, base, quote, rate, source FROM api.fx_rates
WHERE date BETWEEN :since AND :until AND (base = ANY (:currencies) OR quote = ANY (:currencies))
