"""The use cases, written once as flows; the gateway's sync and async faces both run them."""
