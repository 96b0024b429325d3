"""What a trial leaves behind: its data model, where it is kept, and how it is shown."""
