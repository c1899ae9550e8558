-- In: key. Out: whether the lock of an object was free, and is now ours.
SELECT pg_try_advisory_lock(hashtextextended(:key, 14))
