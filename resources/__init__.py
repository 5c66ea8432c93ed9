"""What assets reach outside with: the lake, the privacy ledger. Holds connections and paths, no science."""
