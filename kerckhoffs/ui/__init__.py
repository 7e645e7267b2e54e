"""What app.py and pages/ share. With them, the only code that imports Streamlit."""
