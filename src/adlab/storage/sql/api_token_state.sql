-- In: jti. Out: state of a token of the REST API, its person with viewer role, scopes, clients.
-- Nothing when there is no such token. Notes the use.
SELECT state, person_id, name, role, login, scopes, client_ids FROM sec.api_token(:jti)
