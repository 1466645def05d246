"""What a person proves herself with. One module per factor, each with its own table.

passwords       argon2id, strength, forced change, activation slips
"""
