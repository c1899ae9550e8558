-- In: key. Waits for, and takes, the lock of an object; it ends with the connection.
SELECT pg_advisory_lock(hashtextextended(:key, 14))
