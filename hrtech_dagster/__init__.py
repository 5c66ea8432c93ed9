"""The code location: definitions, jobs, schedules, sensors, and the demo's studies under defs/."""
