"""Whether a finished run can be trusted, and what to change: one sentence a finding (method.md 8)."""
