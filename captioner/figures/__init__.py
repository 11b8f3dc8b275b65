"""What can be read, counted and drawn from files and decoders, for pages, the README and downloads; knows no Streamlit."""
