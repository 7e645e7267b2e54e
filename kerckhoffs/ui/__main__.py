"""python -m kerckhoffs.ui: what `streamlit run app.py` starts in a checkout, from any folder."""

from kerckhoffs.ui import server

if __name__ == "__main__":
    server.serve()
