x: int = "s"
xxx: int = "s"
