"""The wallet page: what one has, depositing, withdrawing, and what moved."""
