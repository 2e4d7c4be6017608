DROP TABLE terms_versions;
DROP TABLE api_keys;
DROP TABLE signing_keys;
DROP TABLE account_tokens;
DROP TABLE refresh_tokens;
DROP TABLE sessions;
DROP TABLE accounts;
