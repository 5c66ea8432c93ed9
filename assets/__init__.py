"""One Dagster component per capability, each building the assets and checks of one study."""
