"""Deskmate as a legal professional: contract review against a playbook, redlines, memos."""
