"""Whether routing helps on recorded outcomes, how much it saves at which quality, and how sure that is."""
