"""The service's processes other than the web workers, and the supervisor that runs them all."""
