import json, httpx, time
from tests.integration.web.conftest import *
def test_oa(reading_api):
    d=httpx.get(f"{reading_api.url}/api/v1/openapi.json").json()
    for p in d["paths"]:
        if "calendar" in p or "academic" in p: print(p, list(d["paths"][p]), {m: list(o.get("responses",{})) for m,o in d["paths"][p].items()})
    print(json.dumps(d["components"]["schemas"]["NewCalendar"])[:1200])
    print(json.dumps(d["components"]["schemas"]["AcademicYearRequest"])[:900])
    print([o.get("security") for o in d["paths"]["/calendars/{file_name}"].values()])
