-- In: milliseconds as text. Sets how long this connection waits for a lock.
SELECT set_config('lock_timeout', :patience, false)
