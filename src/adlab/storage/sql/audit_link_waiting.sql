-- Links entries that people's own logins wrote. Out: how many.
SELECT sec.audit_link_waiting()
