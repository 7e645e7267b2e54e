"""The script that Streamlit runs, alone in its folder: Streamlit makes that folder importable while it runs."""
