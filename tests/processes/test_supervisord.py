import time

import supervisor.process
import supervisor.rpcinterface
import supervisor.supervisord

from tokenpak.processes import supervisord


def test_the_patience_of_supervisord_is_not_that_of_a_clock_somebody_sets(monkeypatch):
    modules = (supervisor.process, supervisor.rpcinterface, supervisor.supervisord)
    for module in modules:
        monkeypatch.setattr(module, "time", module.time)  # put back afterwards
    seen = []

    def stop_that_takes_an_hour_by_the_wall_clock():
        begun = [module.time.time() for module in modules]
        monkeypatch.setattr(time, "time", lambda: 3600 + begun[0])
        seen.extend(module.time.time() - at for module, at in zip(modules, begun, strict=True))

    real = time.time()
    monkeypatch.setattr(supervisor.supervisord, "main", lambda: seen.append(supervisor.process.time.time() - real))
    supervisord.main()
    monkeypatch.setattr(supervisor.supervisord, "main", stop_that_takes_an_hour_by_the_wall_clock)
    supervisord.main()
    assert all(0 <= passed < 60 for passed in seen)
    assert len(seen) == 4
    assert supervisor.process.time.sleep is time.sleep
