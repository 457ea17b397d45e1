export class NetLog { checks = {}; }
