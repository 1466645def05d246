"""What outlives the database: the audit trail outside it, and a backup put back.

restoring       after a backup was put back: what was cut since is cut again
shipped_log     the audit trail as JSON lines
anchor          the audit trail's checkpoints outside the database
"""
