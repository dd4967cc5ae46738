BEGIN TRANSACTION;
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'deskmate.thread','m001_events','2026-11-01 08:00:00');
INSERT INTO "_sqlite_migrations" VALUES(2,'deskmate.thread','m002_seals','2026-11-01 08:00:00');
INSERT INTO "_sqlite_migrations" VALUES(3,'deskmate.thread','m003_listing','2026-11-01 08:00:00');
CREATE TABLE events (seq integer primary key, time text not null, kind text not null, payload text not null, prev_hash text not null, hash text not null, sealed text, salt text) strict;
INSERT INTO "events" VALUES(1,'2026-11-01T08:00:01.000000Z','ThreadCreated','{"thread":"t-fixture001","title":"Prüfung ''NDA''  ","version":"0.1.0"}','0000000000000000000000000000000000000000000000000000000000000000','f22163fed5a73f2190eddd6b26117a8bf5565466acb07b66867f75a342dfe16f','{"!commitment":"8f0c465fcca48332d0fda73fc9b5719d68090342d2e832910173ca2ef4c1eb6d","thread":"t-fixture001","title":"[erased]","version":"0.1.0"}','418fe41f9f8edb88377862adbd3a6b98');
INSERT INTO "events" VALUES(2,'2026-11-01T08:00:02.000000Z','UserSaid','{"model":"offline","run":"r-fixture001","text":"Lies das; dann sag es.\n\"Zitat\" 😀"}','f22163fed5a73f2190eddd6b26117a8bf5565466acb07b66867f75a342dfe16f','bdaa0bc4676ee6372c6653410cb7ad0d0119ce78d4954f30b8bf6dc90ffa284c','{"!commitment":"dd804ebc4a79d59494552ba8745dff0d2d33f72121ba49083b64b15664835d02","model":"offline","run":"r-fixture001","text":"[erased]"}','71c7e3538788448a5ed3317cc0e8488d');
INSERT INTO "events" VALUES(3,'2026-11-01T08:00:03.000000Z','ModelAsked','{"model":"offline","request":"0000000000000000000000000000000000000000000000000000000000000000","turn":1}','bdaa0bc4676ee6372c6653410cb7ad0d0119ce78d4954f30b8bf6dc90ffa284c','7a6b1165459926600c560dcb0bac615b69aef7551d531581cb102d4202012d24',NULL,NULL);
INSERT INTO "events" VALUES(4,'2026-11-01T08:00:04.000000Z','ModelReplied','{"content":[{"text":"I read it.","type":"text"},{"id":"toolu_1","input":{"path":"contracts/nda.docx"},"name":"workspace__read","type":"tool_use"}],"model":"offline","stop_reason":"tool_use","turn":1}','7a6b1165459926600c560dcb0bac615b69aef7551d531581cb102d4202012d24','d44a86d7c371292e4bfcfdd90ec5587e1d890b6e3ddfd10f42b82df8cf254d48','{"!commitment":"ba45833a1fe510630b30d5b88cd5b19c0ba0fbcbd88150dd9c8fb8b8d3ac29c0","content":[{"text":"[erased]","type":"text"},{"id":"toolu_1","input":{},"name":"workspace__read","type":"tool_use"}],"model":"offline","stop_reason":"tool_use","turn":1}','38bdbcf1e9b9380c7fb2ab1e1b9440a6');
INSERT INTO "events" VALUES(5,'2026-11-01T08:00:05.000000Z','ToolStarted','{"key":"t-fixture001:toolu_1","tool":"workspace__read","tool_use_id":"toolu_1"}','d44a86d7c371292e4bfcfdd90ec5587e1d890b6e3ddfd10f42b82df8cf254d48','0d00cc4541b4a3bd9a8004280a9c1376539d762ea57e3b07399d00f82d397098',NULL,NULL);
INSERT INTO "events" VALUES(6,'2026-11-01T08:00:06.000000Z','ToolFinished','{"outcome":"ok","text":"“A clause.”","tool":"workspace__read","tool_use_id":"toolu_1"}','0d00cc4541b4a3bd9a8004280a9c1376539d762ea57e3b07399d00f82d397098','dac6a6dd3f3d99a0c21027bb5769cd707161a6655abac1088969198bc1688bb1','{"!commitment":"e119d14a61a92b758045aeed4c5a09f96bb8e2b64cb5ff61c9920f874e63e48d","outcome":"ok","text":"[erased]","tool":"workspace__read","tool_use_id":"toolu_1"}','dec1d495123e972265f391520de66161');
INSERT INTO "events" VALUES(7,'2026-11-01T08:00:07.000000Z','RunFinished','{"reason":"done","run":"r-fixture001"}','dac6a6dd3f3d99a0c21027bb5769cd707161a6655abac1088969198bc1688bb1','3582f6790a855315e5c3e0a3da0bf5af2fc1ce8b13eb117ccd784ee10721851e',NULL,NULL);
CREATE TABLE lease (id integer primary key check (id = 1), token integer not null, pid integer not null) strict;
INSERT INTO "lease" VALUES(1,0,0);
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE INDEX events_listed on events (kind) where kind in ('ThreadCreated', 'ThreadForked', 'ThreadRenamed', 'ThreadMarked', 'PluginsSet', 'ProjectSet', 'UserSaid', 'RunResumed', 'RunFinished', 'ChangesStaged', 'ApplyFinished', 'ChangesDiscarded');
CREATE TRIGGER events_no_delete before delete on events begin select raise(abort, 'events are append-only'); end;
CREATE TRIGGER events_no_update before update on events when not (old.sealed is not null and new.salt = '' and new.payload = '{' || substr(old.sealed, 83) and new.sealed = old.sealed and new.seq = old.seq and new.time = old.time and new.kind = old.kind and new.prev_hash = old.prev_hash and new.hash = old.hash) begin select raise(abort, 'events are append-only'); end;
COMMIT;
