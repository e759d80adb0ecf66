"""What a person at a terminal needs while a release goes out: how it stands, a gate, promotion, the way back."""
