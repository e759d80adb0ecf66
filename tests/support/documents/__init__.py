"""Schedule PDFs made for tests and measurements: invented contents with known truth, in the shapes of the real ones."""
