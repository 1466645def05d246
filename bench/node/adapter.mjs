// What node-oidc-provider keeps, in one table of PostgreSQL. Every statement is prepared by name.
import pg from 'pg';

const TABLE = `
  CREATE TABLE IF NOT EXISTS kept (
    model text NOT NULL,
    id text NOT NULL,
    payload json NOT NULL,
    grant_id text,
    uid text,
    user_code text,
    expires_at timestamptz,
    consumed_at timestamptz,
    PRIMARY KEY (model, id)
  );
  CREATE INDEX IF NOT EXISTS kept_grant ON kept (grant_id) WHERE grant_id IS NOT NULL;
  CREATE INDEX IF NOT EXISTS kept_uid ON kept (uid) WHERE uid IS NOT NULL;
  CREATE INDEX IF NOT EXISTS kept_user_code ON kept (user_code) WHERE user_code IS NOT NULL;
`;

const FOUND = `
  SELECT payload, extract(epoch FROM consumed_at)::bigint AS consumed FROM kept
  WHERE (expires_at IS NULL OR expires_at > now()) AND model = $1 AND`;

const STATEMENTS = {
  upsert: `
    INSERT INTO kept (model, id, payload, grant_id, uid, user_code, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, now() + $7 * interval '1 second')
    ON CONFLICT (model, id) DO UPDATE SET payload = excluded.payload,
      grant_id = excluded.grant_id, uid = excluded.uid, user_code = excluded.user_code,
      expires_at = excluded.expires_at`,
  find: `${FOUND} id = $2`,
  findByUid: `${FOUND} uid = $2`,
  findByUserCode: `${FOUND} user_code = $2`,
  consume: 'UPDATE kept SET consumed_at = now() WHERE model = $1 AND id = $2',
  destroy: 'DELETE FROM kept WHERE model = $1 AND id = $2',
  revokeByGrantId: 'DELETE FROM kept WHERE grant_id = $1',
};

// The table on this server; gives the adapter's constructor, and what ends its connections.
export async function open(database) {
  const pool = new pg.Pool(database);
  await pool.query(TABLE);
  const run = (name, ...values) => pool.query({ name, text: STATEMENTS[name], values });

  class Adapter {
    constructor(model) {
      this.model = model;
    }

    async upsert(id, payload, expiresIn) {
      const { grantId, uid, userCode } = payload;
      await run('upsert', this.model, id, JSON.stringify(payload), grantId, uid, userCode, expiresIn);
    }

    async find(id) {
      return found(await run('find', this.model, id));
    }

    async findByUid(uid) {
      return found(await run('findByUid', this.model, uid));
    }

    async findByUserCode(userCode) {
      return found(await run('findByUserCode', this.model, userCode));
    }

    async consume(id) {
      await run('consume', this.model, id);
    }

    async destroy(id) {
      await run('destroy', this.model, id);
    }

    async revokeByGrantId(grantId) {
      await run('revokeByGrantId', grantId);
    }
  }

  return { Adapter, end: () => pool.end() };
}

function found({ rows: [row] }) {
  if (row === undefined) return undefined;
  return row.consumed === null ? row.payload : { ...row.payload, consumed: Number(row.consumed) };
}
