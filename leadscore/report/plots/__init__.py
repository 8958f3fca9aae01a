"""Pictures drawn by matplotlib as inline SVG; a module each for what they are about."""
