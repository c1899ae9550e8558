-- Tell the planner how many clients a login sees: without it the tenant filter looks like one row,
-- and questions about the whole book run on one core.
ANALYZE sec.access, sec.login, sec.person
