"""What operators ask and change through the scheduler's endpoint: `upschedule ops` shows it."""
