-- Keeps others from writing tokens until the end of the transaction; reading goes on.
LOCK TABLE sec.connection, sec.connect_attempt IN EXCLUSIVE MODE
