-- Channels that report their own MRR: a day may have movements and no snapshot yet.

ALTER TABLE mrr.movement ALTER COLUMN snapshot_minor DROP NOT NULL;
