-- In: nothing. Out: one row a hole in the walls around schema `api`: what (for people), and fix (a
-- statement a superuser may run, or null where a person must decide).
WITH people(name, oid) AS (
  SELECT rolname, oid FROM pg_roles WHERE rolname IN ('adlab_reader', 'adlab_boards', 'adlab_hooks')
), reader AS (
  SELECT oid FROM pg_roles WHERE rolname = 'adlab_reader'
), ours AS (
  SELECT oid, nspname FROM pg_namespace WHERE nspname IN ('app', 'sec', 'api')
)
-- Whoever may create may put a name of their own in front of ours.
SELECT 'CREATE on schema ' || n.nspname AS what,
  format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC, adlab_reader', n.nspname) AS fix
FROM pg_namespace n, reader r
WHERE n.nspname NOT LIKE 'pg\_%' AND has_schema_privilege(r.oid, n.oid, 'CREATE')
UNION ALL
SELECT 'USAGE on schema ' || n.nspname,
  format('REVOKE USAGE ON SCHEMA %I FROM PUBLIC, adlab_reader', n.nspname)
FROM ours n, reader r WHERE n.nspname IN ('app', 'sec') AND has_schema_privilege(r.oid, n.oid, 'USAGE')
-- Temporary tables fill the disk, hide names and allow functions of one's own.
UNION ALL
SELECT 'temporary tables',
  format('REVOKE TEMPORARY, CREATE ON DATABASE %I FROM PUBLIC, adlab_reader', current_database())
FROM reader r WHERE has_database_privilege(r.oid, current_database(), 'TEMPORARY')
  OR has_database_privilege(r.oid, current_database(), 'CREATE')
-- Tables behind the views, and chunks of hypertables.
UNION ALL
SELECT 'reading ' || c.oid::regclass, format('REVOKE ALL ON %s FROM PUBLIC, adlab_reader', c.oid::regclass)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, reader r
WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f')
  AND (n.nspname IN ('app', 'sec', '_timescaledb_internal')
       OR (n.nspname = 'public' AND NOT EXISTS (SELECT 1 FROM pg_depend d
             WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'e')))
  AND has_any_column_privilege(r.oid, c.oid, 'SELECT')
-- A view over one table takes rows as well, unless that is not granted.
UNION ALL
SELECT 'writing to ' || c.oid::regclass,
  format('REVOKE INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON %s FROM PUBLIC, adlab_reader',
         c.oid::regclass)
FROM pg_class c JOIN ours n ON n.oid = c.relnamespace, reader r
WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f')
  AND (has_any_column_privilege(r.oid, c.oid, 'INSERT')
       OR has_any_column_privilege(r.oid, c.oid, 'UPDATE')
       OR has_table_privilege(r.oid, c.oid, 'DELETE') OR has_table_privilege(r.oid, c.oid, 'TRUNCATE')
       OR has_table_privilege(r.oid, c.oid, 'TRIGGER')
       OR has_any_column_privilege(r.oid, c.oid, 'REFERENCES'))
UNION ALL
SELECT 'sequence ' || c.oid::regclass, format('REVOKE ALL ON SEQUENCE %s FROM PUBLIC, adlab_reader', c.oid::regclass)
FROM pg_class c JOIN ours n ON n.oid = c.relnamespace, reader r
WHERE c.relkind = 'S' AND has_sequence_privilege(r.oid, c.oid, 'SELECT, USAGE, UPDATE')
-- Without the barrier a function in a question sees rows before the filter does.
UNION ALL
SELECT 'no barrier around ' || c.oid::regclass, format('ALTER VIEW %s SET (security_barrier)', c.oid::regclass)
FROM pg_class c JOIN ours n ON n.oid = c.relnamespace
WHERE n.nspname = 'api' AND c.relkind = 'v'
  AND NOT coalesce(c.reloptions && ARRAY['security_barrier=true', 'security_barrier=on',
                                          'security_barrier=1'], false)
UNION ALL
SELECT 'a table in schema api: ' || c.oid::regclass, NULL
FROM pg_class c JOIN ours n ON n.oid = c.relnamespace
WHERE n.nspname = 'api' AND c.relkind IN ('r', 'p', 'm', 'f')
-- Functions of the inside.
UNION ALL
SELECT 'calling ' || p.oid::regprocedure,
  format('REVOKE EXECUTE ON ROUTINE %s FROM PUBLIC, adlab_reader', p.oid::regprocedure)
FROM pg_proc p JOIN ours n ON n.oid = p.pronamespace, reader r
WHERE n.nspname IN ('app', 'sec') AND has_function_privilege(r.oid, p.oid, 'EXECUTE')
UNION ALL
SELECT 'a function of its owner''s rights without a search_path: ' || p.oid::regprocedure,
  format('ALTER ROUTINE %s SET search_path = pg_catalog', p.oid::regprocedure)
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE p.prosecdef AND n.nspname IN ('app', 'sec', 'api', 'public')
  AND NOT EXISTS (SELECT 1 FROM unnest(p.proconfig) s WHERE s LIKE 'search\_path=%')
  AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid
    AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e')
-- The server's own functions that read its files; closed unless somebody opened them.
UNION ALL
SELECT 'reading files of the server: ' || p.oid::regprocedure,
  format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC, adlab_reader', p.oid::regprocedure)
FROM pg_proc p, reader r
WHERE p.pronamespace = 'pg_catalog'::regnamespace
  AND (p.proname IN ('pg_read_file', 'pg_read_binary_file', 'pg_stat_file', 'pg_current_logfile',
                     'lo_import', 'lo_export', 'pg_reload_conf', 'pg_rotate_logfile')
       OR p.proname LIKE 'pg\_ls\_%')
  AND p.prorettype <> 'trigger'::regtype
  AND has_function_privilege(r.oid, p.oid, 'EXECUTE')
-- Catalogs whose texts belong to somebody: statistics of values, settings, passwords, large objects.
UNION ALL
SELECT 'reading ' || c.oid::regclass, format('REVOKE SELECT ON %s FROM PUBLIC, adlab_reader', c.oid::regclass)
FROM pg_class c, reader r
WHERE c.relnamespace = 'pg_catalog'::regnamespace
  AND c.relname IN ('pg_authid', 'pg_statistic', 'pg_statistic_ext_data', 'pg_largeobject',
                    'pg_subscription', 'pg_user_mapping', 'pg_hba_file_rules', 'pg_file_settings',
                    'pg_shadow')
  AND has_table_privilege(r.oid, c.oid, 'SELECT')
UNION ALL
SELECT 'reading ' || c.oid::regclass, format('REVOKE ALL ON %s FROM PUBLIC, adlab_reader', c.oid::regclass)
FROM pg_class c, reader r WHERE c.relname IN ('pg_stat_statements', 'pg_stat_statements_info')
  AND has_table_privilege(r.oid, c.oid, 'SELECT')
-- Roles of the server that see or do more than theirs, such as others' statements.
UNION ALL
SELECT p.name || ' is in ' || g.rolname, format('REVOKE %I FROM %I', g.rolname, p.name)
FROM people p JOIN pg_roles g ON g.rolname LIKE 'pg\_%' OR g.rolname = 'adlab_owner'
WHERE pg_has_role(p.oid, g.oid, 'MEMBER')
UNION ALL
SELECT 'more than a login: ' || r.rolname, format(
  'ALTER ROLE %I NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS', r.rolname)
FROM pg_roles r
WHERE (r.rolname ~ '^(nb|v|sb)_[0-9a-f]{12}$' OR r.oid IN (SELECT oid FROM people))
  AND (r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls)
-- A person's login is in the group of readers and in nothing else.
UNION ALL
SELECT r.rolname || ' is in ' || g.rolname, format('REVOKE %I FROM %I', g.rolname, r.rolname)
FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member JOIN pg_roles g ON g.oid = m.roleid
WHERE r.rolname ~ '^(nb|v)_[0-9a-f]{12}$' AND g.rolname <> 'adlab_reader'
-- What leads out of the database, or lets people write code that does.
UNION ALL
SELECT 'extension ' || e.extname, NULL FROM pg_extension e
WHERE e.extname IN ('dblink', 'postgres_fdw', 'file_fdw', 'adminpack', 'lo', 'pageinspect',
                    'pg_surgery', 'http', 'pgsql_http', 'pg_net', 'oracle_fdw', 'mysql_fdw',
                    'pg_background')
  OR e.extname ~ '^pl(python|perlu|tclu|sh|r$|java)'
UNION ALL
SELECT 'language ' || l.lanname, NULL FROM pg_language l, reader r
WHERE l.lanispl AND NOT l.lanpltrusted
UNION ALL
SELECT 'foreign server ' || s.srvname, format('REVOKE USAGE ON FOREIGN SERVER %I FROM PUBLIC, adlab_reader', s.srvname)
FROM pg_foreign_server s, reader r WHERE has_server_privilege(r.oid, s.oid, 'USAGE')
UNION ALL
SELECT 'large objects are open to all (lo_compat_privileges)', NULL
WHERE current_setting('lo_compat_privileges') = 'on'
UNION ALL
SELECT 'setting ' || a.parname || ' may be set by people', format('REVOKE SET, ALTER SYSTEM ON PARAMETER %s FROM PUBLIC, adlab_reader', a.parname)
FROM pg_parameter_acl a, reader r WHERE has_parameter_privilege(r.oid, a.parname, 'SET')
ORDER BY 1
