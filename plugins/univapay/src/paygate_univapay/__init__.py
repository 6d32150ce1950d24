"""UnivaPay for paygate."""
