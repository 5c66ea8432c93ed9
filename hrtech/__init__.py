"""The science: pure functions on data frames. No Dagster, no environment, no hidden state."""
