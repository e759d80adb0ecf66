"""`make run`: the whole service on one machine (`run.run`), with supervised servers."""
