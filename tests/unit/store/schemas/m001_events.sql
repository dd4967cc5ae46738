BEGIN TRANSACTION;
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'deskmate.thread','m001_events','2026-11-01 08:00:00');
CREATE TABLE events (seq integer primary key, time text not null, kind text not null, payload text not null, prev_hash text not null, hash text not null) strict;
INSERT INTO "events" VALUES(1,'2026-11-01T08:00:01.000000Z','ThreadCreated','{"thread":"t-fixture001","title":"Prüfung ''NDA''  ","version":"0.1.0"}','0000000000000000000000000000000000000000000000000000000000000000','73d8a5d229cb021e9e0a0805085aff05ee30d192b7cb47a99debf7c67f13d0f9');
INSERT INTO "events" VALUES(2,'2026-11-01T08:00:02.000000Z','UserSaid','{"model":"offline","run":"r-fixture001","text":"Lies das; dann sag es.\n\"Zitat\" 😀"}','73d8a5d229cb021e9e0a0805085aff05ee30d192b7cb47a99debf7c67f13d0f9','e4892465a95a81fd4c9bf8555e7d6cada9123d1779eea21fcc3ae68b1e0b94d2');
INSERT INTO "events" VALUES(3,'2026-11-01T08:00:03.000000Z','ModelAsked','{"model":"offline","request":"0000000000000000000000000000000000000000000000000000000000000000","turn":1}','e4892465a95a81fd4c9bf8555e7d6cada9123d1779eea21fcc3ae68b1e0b94d2','213187ef27e1997198fa24e15067518a58a5df266c24b4bb12a0527fca100850');
INSERT INTO "events" VALUES(4,'2026-11-01T08:00:04.000000Z','ModelReplied','{"content":[{"text":"I read it.","type":"text"},{"id":"toolu_1","input":{"path":"contracts/nda.docx"},"name":"workspace__read","type":"tool_use"}],"model":"offline","stop_reason":"tool_use","turn":1}','213187ef27e1997198fa24e15067518a58a5df266c24b4bb12a0527fca100850','00bea0b0a9b469b884afbbfebe66ee798d633864fa68b2cab8ad8a618e43cecc');
INSERT INTO "events" VALUES(5,'2026-11-01T08:00:05.000000Z','ToolStarted','{"key":"t-fixture001:toolu_1","tool":"workspace__read","tool_use_id":"toolu_1"}','00bea0b0a9b469b884afbbfebe66ee798d633864fa68b2cab8ad8a618e43cecc','ec08753737a0204506b4465caf3b014589537abebbc5286d48e277494e8523f1');
INSERT INTO "events" VALUES(6,'2026-11-01T08:00:06.000000Z','ToolFinished','{"outcome":"ok","text":"“A clause.”","tool":"workspace__read","tool_use_id":"toolu_1"}','ec08753737a0204506b4465caf3b014589537abebbc5286d48e277494e8523f1','79989e956e23d704e8c2eb059f9f38683ee3d65112744f235e9d6ef628c5d321');
INSERT INTO "events" VALUES(7,'2026-11-01T08:00:07.000000Z','RunFinished','{"reason":"done","run":"r-fixture001"}','79989e956e23d704e8c2eb059f9f38683ee3d65112744f235e9d6ef628c5d321','c94dcbce2c1385448fa337bb5bc00258c9a0626e50c6db4ac49d5eb0f0c00c06');
CREATE TABLE lease (id integer primary key check (id = 1), token integer not null, pid integer not null) strict;
INSERT INTO "lease" VALUES(1,0,0);
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE INDEX events_kind on events (kind);
CREATE TRIGGER events_no_update before update on events begin select raise(abort, 'events are append-only'); end;
CREATE TRIGGER events_no_delete before delete on events begin select raise(abort, 'events are append-only'); end;
COMMIT;
