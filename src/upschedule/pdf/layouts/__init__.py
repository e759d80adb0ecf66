"""The three schedules of the UP Portal: how the rows of each become events."""
