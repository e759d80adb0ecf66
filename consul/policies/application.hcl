# API, worker and scheduler: read the settings that an operator can change while they run.
key_prefix "upschedule/" {
  policy = "read"
}
