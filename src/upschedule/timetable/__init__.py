"""What a schedule says and what a calendar must say: pure values and functions, no I/O, no clock."""
