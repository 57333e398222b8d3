-- An alert of a movement names the customer.
GRANT SELECT (account_id, source, connection_id, kind, id, name, email)
    ON collector.name TO opseer_notifier;
GRANT SELECT ON collector.v1_name TO opseer_notifier;
