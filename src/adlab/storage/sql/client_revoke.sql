-- In: client_id. Ends grants, invitations, dialogs with Meta and API tokens of a client. A token for
-- several clients loses this one. Out: how many of each.
WITH grants AS (DELETE FROM sec.access WHERE client_id = :client_id RETURNING implied),
dialogs AS (DELETE FROM sec.connect_attempt WHERE client_id = :client_id RETURNING 1),
invitations AS (DELETE FROM sec.connect_invite WHERE client_id = :client_id RETURNING 1),
tokens AS (
  DELETE FROM sec.api_token WHERE client_ids <@ ARRAY[CAST(:client_id AS integer)] RETURNING 1),
narrowed AS (
  UPDATE sec.api_token SET client_ids = array_remove(client_ids, CAST(:client_id AS integer))
  WHERE :client_id = ANY (client_ids)
    AND NOT client_ids <@ ARRAY[CAST(:client_id AS integer)] RETURNING 1)
SELECT (SELECT count(*) FROM grants WHERE NOT implied) AS grants,
  (SELECT count(*) FROM invitations) AS invitations, (SELECT count(*) FROM dialogs) AS dialogs,
  (SELECT count(*) FROM tokens) AS api_tokens, (SELECT count(*) FROM narrowed) AS narrowed_tokens
