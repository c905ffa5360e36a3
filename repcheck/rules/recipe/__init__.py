"""The training recipe as it ran: repeatable, sound at its start, complete at its end."""
