-- In: account_id, kind. Out: the newest day it was read to.
SELECT until FROM app.sync_state WHERE account_id = :account_id AND kind = :kind AND level = 0
