-- Out: texts nobody may see: sealed tokens, hashes of passwords and of one-time links (hex).
SELECT encode(token_sealed, 'hex') AS secret FROM sec.connection WHERE token_sealed IS NOT NULL
UNION SELECT hash FROM sec.password
UNION SELECT encode(nonce_hash, 'hex') FROM sec.login_link
UNION SELECT encode(nonce_hash, 'hex') FROM sec.connect_invite
UNION SELECT jti FROM sec.api_token
UNION SELECT key_name::text FROM sec.client_key
